from .hzauvae import HZAUVAE as HZAUVAE
from .systems import (
    CVAE as CVAE,
    JMVAE as JMVAE,
    MMVAE as MMVAE,
    MVAE as MVAE,
    MVAEQ as MVAEQ,
    VAE as VAE,
    BiVCCA as BiVCCA,
    CoDEVAE as CoDEVAE,
    MoPoEVAE as MoPoEVAE,
)
