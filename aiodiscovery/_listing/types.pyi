# The types of pages, items and parameters of each operation, for type checkers only.

from typing import NotRequired, Unpack

from types_aiobotocore_discovery.type_defs import (
    AgentInfoTypeDef,
    ConfigurationTagTypeDef,
    ContinuousExportDescriptionTypeDef,
    DescribeAgentsRequestPaginateTypeDef,
    DescribeAgentsResponseTypeDef,
    DescribeContinuousExportsRequestPaginateTypeDef,
    DescribeContinuousExportsResponseTypeDef,
    DescribeExportConfigurationsRequestPaginateTypeDef,
    DescribeExportConfigurationsResponseTypeDef,
    DescribeExportTasksRequestPaginateTypeDef,
    DescribeExportTasksResponseTypeDef,
    DescribeImportTasksRequestPaginateTypeDef,
    DescribeImportTasksResponseTypeDef,
    DescribeTagsRequestPaginateTypeDef,
    DescribeTagsResponseTypeDef,
    ExportInfoTypeDef,
    ImportTaskTypeDef,
    ListConfigurationsRequestPaginateTypeDef,
    ListConfigurationsResponseTypeDef,
)

from .pages import PageIterator
from .paginator import Paginator

class DescribeAgentsPage(DescribeAgentsResponseTypeDef):
    NextToken: NotRequired[str]

class DescribeContinuousExportsPage(DescribeContinuousExportsResponseTypeDef):
    NextToken: NotRequired[str]

class DescribeExportConfigurationsPage(DescribeExportConfigurationsResponseTypeDef):
    NextToken: NotRequired[str]

class DescribeExportTasksPage(DescribeExportTasksResponseTypeDef):
    NextToken: NotRequired[str]

class DescribeImportTasksPage(DescribeImportTasksResponseTypeDef):
    NextToken: NotRequired[str]

class DescribeTagsPage(DescribeTagsResponseTypeDef):
    NextToken: NotRequired[str]

class ListConfigurationsPage(ListConfigurationsResponseTypeDef):
    NextToken: NotRequired[str]

class DescribeAgentsPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeAgentsRequestPaginateTypeDef]
    ) -> PageIterator[DescribeAgentsPage, AgentInfoTypeDef]: ...

class DescribeContinuousExportsPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeContinuousExportsRequestPaginateTypeDef]
    ) -> PageIterator[DescribeContinuousExportsPage, ContinuousExportDescriptionTypeDef]: ...

class DescribeExportConfigurationsPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeExportConfigurationsRequestPaginateTypeDef]
    ) -> PageIterator[DescribeExportConfigurationsPage, ExportInfoTypeDef]: ...

class DescribeExportTasksPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeExportTasksRequestPaginateTypeDef]
    ) -> PageIterator[DescribeExportTasksPage, ExportInfoTypeDef]: ...

class DescribeImportTasksPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeImportTasksRequestPaginateTypeDef]
    ) -> PageIterator[DescribeImportTasksPage, ImportTaskTypeDef]: ...

class DescribeTagsPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[DescribeTagsRequestPaginateTypeDef]
    ) -> PageIterator[DescribeTagsPage, ConfigurationTagTypeDef]: ...

class ListConfigurationsPaginator(Paginator):
    def paginate(
        self, **parameters: Unpack[ListConfigurationsRequestPaginateTypeDef]
    ) -> PageIterator[ListConfigurationsPage, dict[str, str]]: ...
