from .files import FileFormat as FileFormat
from .files import WrittenFile as WrittenFile
from .files import export_tables as export_tables
from .tables import TableName as TableName
from .tables import table_rows as table_rows
from .vectors import export_vectors as export_vectors
