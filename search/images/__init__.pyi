from .fingerprints import hamming as hamming
from .fingerprints import look as look
from .fingerprints import mirrored_bits as mirrored_bits
from .fingerprints import pdq as pdq
from .fingerprints import pdq_mirrored as pdq_mirrored
