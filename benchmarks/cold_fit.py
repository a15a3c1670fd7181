"""One cold Lasso fit to a relative duality gap of 1e-5: lambdahat and the solvers people install."""

from collections.abc import Iterator

from .common import Options, Record, bar, geometric_mean, times
from .data import present
from .peers import LAMBDAHAT, all_timings, fastest, time_to_gap

GAP = 1e-5
DIVISORS = {  # λ = λmax / divisor
    "debian_text": (10, 100, 500),
    "meg_left": (5, 50),
    "dense wide, 500 × 20,000": (20, 100),
    "dense tall, 100,000 × 300": (10, 100),
}


def records(options: Options) -> Iterator[Record]:
    limit = 5.0 if options.quick else 60.0
    for name, data in present(DIVISORS, options.quick):
        for divisor in DIVISORS[name]:
            alpha = data.alpha_max / divisor
            timings = all_timings(data.X, data.y, alpha, GAP, limit)
            ours, best = time_to_gap(LAMBDAHAT, data.X, data.y, alpha, GAP, limit), fastest(timings)
            yield {
                "problem": f"{name}, λmax/{divisor}",
                "lambdahat": ours["seconds"],
                "peer": best["peer"],
                "peer_seconds": best["seconds"],
                "ratio": ours["seconds"] / best["seconds"] if ours["seconds"] else None,
                **{timing["peer"]: timing["seconds"] for timing in timings},
                "timings": [ours, *timings],
                "note": data.note,
            }


def bars(records: list[Record]) -> list[Record]:
    what = "one cold fit at gap 1e-5, λ and data as listed: time over the fastest peer's"
    ratios = [record["ratio"] for record in records]
    if None in ratios:
        return [bar(what, "gap reached everywhere", f"missed in {ratios.count(None)}", False)]
    worst, mean = max(ratios), geometric_mean(ratios)
    return [
        bar(f"{what}, worst", "≤ 1×", times(worst), worst <= 1),
        bar(f"{what}, geometric mean", "≤ 0.4× (moonshot 0.25×)", times(mean), mean <= 0.4),
    ]
