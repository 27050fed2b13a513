from .hzauvae import HZAUVAE as HZAUVAE
