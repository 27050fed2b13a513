from .bag import BagOfWords as BagOfWords
from .encoder import TextEncoder as TextEncoder
from .ontology import Ontology as Ontology, Term as Term, cell_ontology as cell_ontology
from .records import encoder_from_record as encoder_from_record
from .sentences import SentenceEncoder as SentenceEncoder
from .terms import TermEncoder as TermEncoder
from .tokens import TOKEN_PATTERN as TOKEN_PATTERN, words as words
