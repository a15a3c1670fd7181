"""lambdahat beside its peers: same data, same process, same threads, same duality gap (see README.md)."""
