# Random-effects meta-analysis by metafor. Rscript make_meta.R > meta.csv (R 4.2.2, metafor 3.8 of Debian 12)
suppressMessages(library(metafor))
trials <- list(
  bcg = list(
    c(-0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209, 0.0120, -0.4694, -1.3713, -0.3394,
      0.4459, -0.0173),
    c(0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230, 0.0040, 0.0564, 0.0730, 0.0124, 0.5325, 0.0714)),
  sites = list(c(1.1, 0.6, 1.9), c(0.09, 0.05, 0.16)),
  alike = list(c(1.10, 1.12, 1.07, 1.11), c(0.09, 0.05, 0.16, 0.04)))
cat("name,value\n")
say <- function(name, value) cat(sprintf("%s,%.12g\n", name, value))
for (trial in names(trials)) for (method in c("REML", "DL")) for (test in c("z", "knha", "adhoc")) {
  fit <- suppressWarnings(rma(trials[[trial]][[1]], trials[[trial]][[2]], method = method, test = test,
             control = list(threshold = 1e-12, maxiter = 10000)))
  where <- predict(fit, pi.type = "riley")
  label <- paste(trial, c(REML = "reml", DL = "dersimonian-laird")[method], test)
  say(paste(label, "estimate"), fit$beta[1]); say(paste(label, "standard_error"), fit$se)
  say(paste(label, "low"), fit$ci.lb); say(paste(label, "high"), fit$ci.ub)
  say(paste(label, "tau2"), fit$tau2); say(paste(label, "q"), fit$QE); say(paste(label, "i2"), fit$I2)
  say(paste(label, "predicted_low"), where$pi.lb); say(paste(label, "predicted_high"), where$pi.ub)
}
