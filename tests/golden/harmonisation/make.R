# ComBat of R's sva on values.csv; in R with the package sva: Rscript make.R
library(sva)
f <- sva:::it.sol; formals(f)$conv <- 1e-14; assignInNamespace("it.sol", f, "sva")
d <- read.csv("values.csv"); X <- t(as.matrix(d[, grep("^f", names(d))]))
age <- model.matrix(~age, d)
options(digits = 17)
write.csv(t(ComBat(dat = X, batch = d$batch)), "sva_plain.csv", row.names = FALSE)
write.csv(t(ComBat(dat = X, batch = d$batch, mod = age)), "sva_age.csv", row.names = FALSE)
write.csv(t(ComBat(dat = X, batch = d$batch, mod = age, ref.batch = "b")),
          "sva_age_reference_b.csv", row.names = FALSE)
