"""Where in the head, and when: sparse sources of magnetic and electric recordings (M/EEG), λ chosen by gradient."""

from lambdahat.inverse.bridge import from_mne
from lambdahat.inverse.prepared import InverseProblem, prepare
from lambdahat.inverse.solve import sparse_inverse
from lambdahat.inverse.sources import Sources
from lambdahat.inverse.trials import Trials
from lambdahat.inverse.whitening import whitener

__all__ = ["InverseProblem", "Sources", "Trials", "from_mne", "prepare", "sparse_inverse", "whitener"]
