# Golden values of tests/pipeline/comparison/test_golden.py: Rscript make.R > values.csv
# The data are formulas of whole numbers, which the test computes too. No test needs R.
library(survival)
put <- function(name, ...) {
  v <- c(...)
  cat(paste(name, seq_along(v), sprintf("%.15g", v), sep = ","), sep = "\n")
  cat("\n")
}
cat("name,place,value\n")
for (s in 1:6) {
  rows <- 2 + s %% 3
  columns <- 3 + s %% 2
  t <- outer(1:rows, 1:columns, function(i, j) (i * 7 + j * 5 + s * 3 + i * j * s) %% 6)
  put(paste0("fisher ", s), fisher.test(t, workspace = 2e7)$p.value)
}
x <- function(n) (((1:n) * 37) %% 101) / 10
y <- function(n) (((1:n) * 53) %% 97) / 10 + 1.55
for (n in c(12, 40, 90)) {
  w <- suppressWarnings(wilcox.test(y(n + 5), x(n), conf.int = TRUE, exact = n < 50))
  put(paste0("shift ", n), w$estimate, w$conf.int)
  d <- y(n) - x(n) + (1:n) / 1000
  p <- suppressWarnings(wilcox.test(d, conf.int = TRUE, exact = n < 50))
  put(paste0("change ", n), p$estimate, p$conf.int)
}
o <- oneway.test(v ~ g, data.frame(v = c(x(20), y(25), x(30) / 2), g = rep(1:3, c(20, 25, 30))))
put("welch anova", o$statistic, o$parameter, o$p.value)
p <- poisson.test(c(1, 17), c(31 * 1.1, 220 * 2.1))
put("poisson", p$estimate, p$conf.int, p$p.value)
p <- poisson.test(c(11, 4), c(31 * 1.1, 220 * 2.1))
put("poisson b", p$estimate, p$conf.int, p$p.value)
n <- 80
time <- (((1:n) * 29) %% 41) + 1
end <- (((1:n) * 17 + (1:n)^2) %% 7) %% 3
group <- (1:n) %% 3
s <- summary(survfit(Surv(time, end > 0) ~ 1, conf.type = "log-log"), times = c(5, 20, 35))
put("kaplan-meier", s$surv, s$lower, s$upper)
d <- survdiff(Surv(time, end > 0) ~ group)
put("log-rank", d$chisq)
m <- survfit(Surv(time, factor(end, 0:2, c("none", "event", "death"))) ~ 1)
a <- summary(m, times = c(5, 20, 35))
put("aalen-johansen", a$pstate[, 2], a$pstate[, 3])
l <- lm(after ~ before + factor(group),
        data.frame(before = x(n), after = y(n), group = group))
put("ancova", coef(l)[3:4], confint(l)[3:4, ], summary(l)$coefficients[3:4, 4])
