"""Scoring of corpora on Apache Beam, from a bundle."""

from ..beam.settings import Scoring, Summary
from ..beam.supervisor import score

__all__ = ["Scoring", "Summary", "score"]
