import os

os.environ["SCIPY_ARRAY_API"] = "1"  # read when scipy is imported: scikit-learn then runs its array API checks too
