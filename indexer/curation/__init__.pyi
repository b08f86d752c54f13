from .categories import IssueReport as IssueReport
from .duplicates import Decision as Decision
from .duplicates import Proposal as Proposal
from .duplicates import Proposals as Proposals
from .merges import merge as merge
from .move import move_memes as move_memes
from .reversal import undo as undo
