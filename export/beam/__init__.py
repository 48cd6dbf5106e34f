"""Scoring of corpora on Apache Beam, from a bundle."""

from .settings import Scoring, Summary
from .supervisor import score

__all__ = ["Scoring", "Summary", "score"]
