"""The article's claims: as data, put to the test, with the verdict that the numbers decide. No torch.

claims.yaml, table.yaml   what is claimed, and what would be seen if it were true
loader → model            the same, read and checked
selection, slopes, quality, evidence    from a run's measurements to one observation per regime and size
verdict                   from an interval and a rule to a verdict; pure
assess → render → formats the comparison table, every claim, and how a verdict came about
"""

from __future__ import annotations

from tbench.claims.assess import SEVERAL, Assessment, assess
from tbench.claims.loader import article

__all__ = ["SEVERAL", "Assessment", "article", "assess"]
