# Golden values of tests/pipeline/test_table1_rows.py: Rscript make_rows.R > rows.csv
# One line a kind of row of a table 1 and a study's size. The columns are formulas of whole numbers,
# which the test computes too. No test needs R.
sizes <- list(tiny = c(12, 9), zhang2025 = c(150, 29), yassavoly2025 = c(220, 31), li2021 = c(231, 37),
  rong2025 = c(452, 117), three = c(90, 60, 31))
put <- function(...) cat(paste(..., sep = ","), "\n", sep = "")
value <- function(v) sprintf("%.17g", v)
put("size", "column", "test", "statistic", "df", "p_value")
for (size in names(sizes)) {
  n <- sizes[[size]]
  group <- rep(seq_along(n) - 1, n)
  place <- unlist(lapply(n, seq_len))
  v <- (place * 37 + group * 13 * (place %% 3)) %% 101
  columns <- list(two = as.integer(v < 15 + 20 * group), three = (v >= 40 + 10 * group) + (v >= 75))
  for (name in names(columns)) {
    t <- table(factor(columns[[name]], levels = 0:max(columns[[name]])), group)
    expected <- outer(rowSums(t), colSums(t)) / sum(t)
    df <- (nrow(t) - 1) * (ncol(t) - 1)
    pearson <- suppressWarnings(chisq.test(t, correct = FALSE))
    put(size, name, "pearson", value(pearson$statistic), df, value(pearson$p.value))
    if (nrow(t) == 2 && ncol(t) == 2) {
      yates <- suppressWarnings(chisq.test(t, correct = TRUE))
      put(size, name, "yates", value(yates$statistic), df, value(yates$p.value))
    }
    put(size, name, "fisher", "", "", value(fisher.test(t, workspace = 2e8)$p.value))
    g <- 2 * sum(ifelse(t > 0, t * log(t / expected), 0))
    put(size, name, "likelihood-ratio", value(g), df, value(pchisq(g, df, lower.tail = FALSE)))
    linear <- (sum(n) - 1) * cor(columns[[name]], group)^2
    put(size, name, "trend", value(linear), 1, value(pchisq(linear, 1, lower.tail = FALSE)))
  }
  x <- (v + 2 * group) / 10
  if (length(n) == 2) {
    for (equal in c(TRUE, FALSE)) {
      t <- t.test(x[group == 0], x[group == 1], var.equal = equal)
      put(size, "number", if (equal) "pooled-t" else "welch-t", value(t$statistic), value(t$parameter), value(t$p.value))
    }
    w <- suppressWarnings(wilcox.test(x[group == 0], x[group == 1], exact = FALSE, correct = TRUE))
    put(size, "number", "mann-whitney", value(w$statistic), "", value(w$p.value))
  }
  a <- oneway.test(x ~ factor(group), var.equal = TRUE)
  put(size, "number", "anova", value(a$statistic), value(a$parameter[1]), value(a$p.value))
  k <- kruskal.test(x, factor(group))
  put(size, "number", "kruskal", value(k$statistic), value(k$parameter), value(k$p.value))
}
