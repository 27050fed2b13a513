"""Questions in words: which cells match a text, and which words describe a cell."""

from hzau_omics.model.answers.text.cells import cells_of_texts as cells_of_texts
from hzau_omics.model.answers.text.modality import find_text_modality as find_text_modality
from hzau_omics.model.answers.text.queries import Texts as Texts, text_list as text_list
