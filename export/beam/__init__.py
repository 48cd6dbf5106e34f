"""Scoring a corpus with Apache Beam."""
