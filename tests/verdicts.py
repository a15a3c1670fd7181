"""What decides between evaluations, whether it is what leads the search or not."""

from lambdahat.hypergradient import judged


def decided(fold, problems, solutions):
    """The fold's criterion at solutions, as it is minimised."""
    if fold.verdict is not None:
        return fold.verdict(problems, solutions)
    return judged(problems[0], solutions[0], fold.judges(problems, solutions)[0])
