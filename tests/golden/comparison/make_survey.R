# Golden values of tests/pipeline/comparison/test_golden.py: Rscript make_survey.R > survey.csv
# The data are formulas of whole numbers, which the test computes too. No test needs R.
suppressMessages(library(survey))
cat("name,place,value\n")
for (s in 1:4) {
  n <- 60 + 20 * s
  row <- 1:n
  patient <- (row * row + s) %% (n %/% 2)
  level <- (row * 5 + s * (row %% 7)) %% (2 + s %% 2)
  group <- if (s %% 2 == 1) (row * 3 + row %% 5) %% (2 + s %/% 3) else (patient * 7 + s) %% 3
  d <- data.frame(patient, level = factor(level), group = factor(group))
  t <- svychisq(~ level + group, svydesign(ids = ~patient, weights = ~1, data = d))
  v <- c(t$statistic, t$parameter, t$p.value)
  cat(paste(paste("rao-scott", s), seq_along(v), sprintf("%.15g", v), sep = ","), sep = "\n")
  cat("\n")
}
