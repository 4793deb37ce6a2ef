"""Same-effects retrieval: among other songs, does an encoder find the one under the same configuration?

A round draws 20 configurations and, for each, two segments: a query and its answer. All contents differ. Each query
then looks for its answer among all 20, and counts as found when no other is closer; guessing finds one in 20.

The hard variant exchanges some of the 19 wrong candidates for the query's own content under those candidates'
configurations: an encoder that listens to the music falls for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stito import streams
from stito.errors import SettingsError
from stito.evaluation.encoders.cases import Bench
from stito.evaluation.statistics import Estimate, estimate
from stito.models.encoder import Encoder, distance
from stito.streams import Purpose

__all__ = ["CANDIDATES", "Retrieval", "measure_retrieval"]

CANDIDATES = 20
OWN = 5
ROUNDS = 10


@dataclass(frozen=True)
class Retrieval:
    """How often one encoder finds the answer on one subject, as shares of the queries; the interval is over rounds."""

    encoder: str
    subject: str
    found: Estimate
    hard: Estimate
    candidates: int
    own: int
    queries: int


def measure_retrieval(
    bench: Bench,
    *,
    subjects: Sequence[str] | None = None,
    candidates: int = CANDIDATES,
    own: int = OWN,
    rounds: int = ROUNDS,
) -> list[Retrieval]:
    """Top-1 among `candidates` for every encoder and subject, with `own` of them the query's content when hard."""
    if candidates < 2 or not 0 <= own < candidates or rounds < 1:
        raise SettingsError(f"{rounds} rounds of {candidates} candidates, {own} of them the query's own, cannot be.")
    results = []
    for subject in bench.subjects if subjects is None else subjects:
        shares: dict[str, list[tuple[float, float]]] = {label: [] for label in bench.encoders}
        for number in range(rounds):
            bench.report(f"retrieval: round {number + 1} of {rounds}, {subject}")
            for label, share in _round(bench, subject, candidates, own, number).items():
                shares[label].append(share)
        for label, values in shares.items():
            plain, hard = (estimate(column) for column in zip(*values, strict=True))
            results.append(Retrieval(label, subject, plain, hard, candidates, own, rounds * candidates))
    return results


def _round(bench: Bench, subject: str, candidates: int, own: int, number: int) -> dict[str, tuple[float, float]]:
    """For each encoder the share of queries that find their answer: plain, hard."""
    cases = bench.draw(subject, "retrieval", number, segments=2 * candidates, configurations=candidates)
    queries = list(range(candidates))
    answers = [candidates + query for query in queries]
    order = streams.generator(bench.plan.seed, Purpose.DECOYS, subject, number)
    decoys = [order.permutation([j for j in queries if j != query])[:own].tolist() for query in queries]
    segment = queries + answers + [query for query in queries for _ in decoys[query]]
    configuration = queries + queries + [number for chosen in decoys for number in chosen]
    shares = {}
    for label, embeddings in bench.embed(cases, segment, configuration).items():
        encoder = bench.encoders[label]
        asked, offered = embeddings[:candidates], embeddings[candidates : 2 * candidates]
        own_content = embeddings[2 * candidates :]
        plain = _distances(encoder, asked, offered)
        hard = plain.clone()
        for query, chosen in enumerate(decoys):
            mine = own_content[query * own : (query + 1) * own]
            if own:
                hard[query, chosen] = distance(encoder, asked[query : query + 1], mine)
        shares[label] = _share_found(plain), _share_found(hard)
    return shares


def _distances(encoder: Encoder, asked: Tensor, offered: Tensor) -> Tensor:
    """From each query to each candidate: (q, c)."""
    return torch.stack([distance(encoder, offered, query[None]) for query in asked])


def _share_found(distances: Tensor) -> float:
    """The share of rows whose diagonal element is smaller than all others: a tie is not found."""
    answer = distances.diagonal()
    others = distances + torch.diag(torch.full_like(answer, torch.inf))
    return float((answer < others.amin(1)).float().mean())
