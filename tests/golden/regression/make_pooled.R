# Rubin's rules by R's mice: coefficients of five completed tables, and what mice makes of them.
# Rscript make_pooled.R (Debian: r-cran-mice r-cran-jsonlite); writes pooled.json.
suppressMessages({library(mice); library(jsonlite)})
birth <- read.csv("birthwt.csv", stringsAsFactors = TRUE)
set.seed(5)
birth$lwt[sample(189, 40)] <- NA
birth$race[sample(189, 30)] <- NA
kept <- birth[, c("low", "age", "lwt", "race", "smoke")]
completed <- mice(kept, m = 5, maxit = 5, printFlag = FALSE, seed = 9)
fits <- with(completed, glm(low ~ age + lwt + race + smoke, family = binomial, epsilon = 1e-14, maxit = 100))
pooled <- summary(pool(fits), conf.int = TRUE)
write(toJSON(list(versions = list(R = R.version.string, mice = as.character(packageVersion("mice"))),
  coefficients = lapply(fits$analyses, function(f) unname(coef(f))),
  covariances = lapply(fits$analyses, function(f) unname(vcov(f))),
  pooled = list(estimate = pooled$estimate, se = pooled$std.error, df = pooled$df, p = pooled$p.value,
    low = pooled[["2.5 %"]], high = pooled[["97.5 %"]], lambda = pool(fits)$pooled$lambda)),
  digits = NA, auto_unbox = TRUE), "pooled.json")
