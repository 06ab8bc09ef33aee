# The types of pages, items and parameters of each operation, for type checkers only.
#
# Pages are not botocore's responses, and what PaginationConfig takes is not what botocore takes:
# NextToken is in place of nextToken, and None stands for what is not given. ResponseMetadata is
# missing where build_full_result() joins pages.

from collections.abc import Sequence
from typing import NotRequired, TypedDict, Unpack

from types_aiobotocore_discovery.literals import ConfigurationItemTypeType
from types_aiobotocore_discovery.type_defs import (
    AgentInfoTypeDef,
    ConfigurationTagTypeDef,
    ContinuousExportDescriptionTypeDef,
    ExportFilterTypeDef,
    ExportInfoTypeDef,
    FilterTypeDef,
    ImportTaskFilterTypeDef,
    ImportTaskTypeDef,
    OrderByElementTypeDef,
    ResponseMetadataTypeDef,
    TagFilterTypeDef,
)
from typing_extensions import ReadOnly

from .pages import PageIterator
from .paginator import Paginator

# Read only, so that botocore's PaginatorConfigTypeDef may be given too.
class PaginationConfig(TypedDict):
    MaxItems: NotRequired[ReadOnly[int | None]]
    PageSize: NotRequired[ReadOnly[int | None]]
    StartingToken: NotRequired[ReadOnly[str | None]]

class Parameters(TypedDict):
    PaginationConfig: NotRequired[PaginationConfig]

class Page(TypedDict):
    NextToken: NotRequired[str]
    ResponseMetadata: NotRequired[ResponseMetadataTypeDef]

class DescribeAgentsParameters(Parameters):
    agentIds: NotRequired[Sequence[str]]
    filters: NotRequired[Sequence[FilterTypeDef]]

class DescribeAgentsPage(Page):
    agentsInfo: list[AgentInfoTypeDef]

class DescribeAgentsPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeAgentsParameters]
    ) -> PageIterator[DescribeAgentsPage, AgentInfoTypeDef]: ...

class DescribeContinuousExportsParameters(Parameters):
    exportIds: NotRequired[Sequence[str]]

class DescribeContinuousExportsPage(Page):
    descriptions: list[ContinuousExportDescriptionTypeDef]

class DescribeContinuousExportsPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeContinuousExportsParameters]
    ) -> PageIterator[DescribeContinuousExportsPage, ContinuousExportDescriptionTypeDef]: ...

class DescribeExportConfigurationsParameters(Parameters):
    exportIds: NotRequired[Sequence[str]]

class DescribeExportConfigurationsPage(Page):
    exportsInfo: list[ExportInfoTypeDef]

class DescribeExportConfigurationsPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeExportConfigurationsParameters]
    ) -> PageIterator[DescribeExportConfigurationsPage, ExportInfoTypeDef]: ...

class DescribeExportTasksParameters(Parameters):
    exportIds: NotRequired[Sequence[str]]
    filters: NotRequired[Sequence[ExportFilterTypeDef]]

class DescribeExportTasksPage(Page):
    exportsInfo: list[ExportInfoTypeDef]

class DescribeExportTasksPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeExportTasksParameters]
    ) -> PageIterator[DescribeExportTasksPage, ExportInfoTypeDef]: ...

class DescribeImportTasksParameters(Parameters):
    filters: NotRequired[Sequence[ImportTaskFilterTypeDef]]

class DescribeImportTasksPage(Page):
    tasks: list[ImportTaskTypeDef]

class DescribeImportTasksPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeImportTasksParameters]
    ) -> PageIterator[DescribeImportTasksPage, ImportTaskTypeDef]: ...

class DescribeTagsParameters(Parameters):
    filters: NotRequired[Sequence[TagFilterTypeDef]]

class DescribeTagsPage(Page):
    tags: list[ConfigurationTagTypeDef]

class DescribeTagsPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeTagsParameters]
    ) -> PageIterator[DescribeTagsPage, ConfigurationTagTypeDef]: ...

class ListConfigurationsParameters(Parameters):
    configurationType: ConfigurationItemTypeType
    filters: NotRequired[Sequence[FilterTypeDef]]
    orderBy: NotRequired[Sequence[OrderByElementTypeDef]]

class ListConfigurationsPage(Page):
    configurations: list[dict[str, str]]

class ListConfigurationsPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[ListConfigurationsParameters]
    ) -> PageIterator[ListConfigurationsPage, dict[str, str]]: ...
