"""``python -m hzau_omics`` is ``hzau-omics``."""

from hzau_omics.cli import main

if __name__ == "__main__":
    main()
