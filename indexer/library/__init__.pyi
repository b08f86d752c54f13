from .files import bytes_hash as bytes_hash
from .format import Found as Found
from .format import SidecarFile as SidecarFile
from .format import Unusable as Unusable
from .sidecars import write_sidecar as write_sidecar
from .transaction import recover as recover
from .transaction import trash_path as trash_path
