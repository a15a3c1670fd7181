"""The experiments of the papers on implicit differentiation of sparse models, one module each."""
