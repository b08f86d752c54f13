from .backup import BackupReport as BackupReport
from .backup import back_up as back_up
from .check import Finding as Finding
from .check import check as check
from .restore import RestoreReport as RestoreReport
from .restore import restore as restore
