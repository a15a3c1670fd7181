# Fits glmnet on the arrays of a folder; writes there the seconds of every repeat (of the fit only) and the
# coefficients at the last λ. Arguments: the folder, the number of repeats, glmnet's settings as an R list.
suppressMessages(library(glmnet))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
settings <- eval(parse(text = arguments[3]))

read <- function(name, what, size) {
  path <- file.path(folder, name)
  readBin(path, what, n = file.size(path) / size, size = size)
}
shape <- read("shape", "integer", 4)
values <- read("values", "double", 8)
y <- read("y", "double", 8)
if (identical(settings$family, "cox")) y <- matrix(y, ncol = 2, dimnames = list(NULL, c("time", "status")))
sparse <- file.exists(file.path(folder, "indices"))
x <- if (sparse) {
  new("dgCMatrix", i = read("indices", "integer", 4), p = read("indptr", "integer", 4), x = values, Dim = shape)
} else {
  matrix(values, shape[1], shape[2])
}

invisible(glmnet(matrix(rnorm(100), 20), rnorm(20))) # warm-up

seconds <- numeric()
for (repetition in seq_len(as.integer(arguments[2]))) {
  start <- Sys.time()
  fit <- do.call(glmnet, c(list(quote(x), quote(y), standardize = FALSE, intercept = FALSE), settings))
  seconds <- c(seconds, as.numeric(difftime(Sys.time(), start, units = "secs")))
}
writeBin(seconds, file.path(folder, "seconds"))
writeBin(as.numeric(fit$beta[, ncol(fit$beta)]), file.path(folder, "coef"))
