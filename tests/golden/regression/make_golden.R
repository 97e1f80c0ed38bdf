# Makes the golden values of tests/models/regression. No test runs it: R is not needed.
# Rscript make_golden.R (Debian: r-cran-rms r-cran-proc r-cran-mass r-cran-brglm2 r-cran-car)
suppressMessages({library(rms); library(pROC); library(MASS); library(brglm2); library(car); library(jsonlite)})
options(digits = 17)
out <- list(versions = list(R = R.version.string, rms = as.character(packageVersion("rms")),
  Hmisc = as.character(packageVersion("Hmisc")), pROC = as.character(packageVersion("pROC")),
  MASS = as.character(packageVersion("MASS")), brglm2 = as.character(packageVersion("brglm2")),
  car = as.character(packageVersion("car"))))

birth <- birthwt
birth$race <- factor(birth$race, labels = c("white", "black", "other"))
for (name in c("smoke", "ht", "ui")) birth[[name]] <- factor(birth[[name]], labels = c("no", "yes"))
write.csv(birth, "birthwt.csv", row.names = FALSE, quote = FALSE)
dd <- datadist(birth); options(datadist = "dd")
tight <- list(eps = 1e-14, maxit = 100)
formulas <- list(
  linear = low ~ age + lwt + race + smoke + ht + ui + ftv,
  splines = low ~ rcs(age, 4) + rcs(lwt, 3) + race + smoke)
linear_in_glm <- list(
  linear = formulas$linear,
  splines = low ~ rcs(age, 4) + rcs(lwt, 3) + race + smoke)
for (name in names(formulas)) {
  fit <- lrm(formulas[[name]], data = birth, eps = 1e-14, maxit = 100, tol = 1e-12, x = TRUE, y = TRUE)
  glm_fit <- glm(formulas[[name]], family = binomial, data = birth, epsilon = 1e-15, maxit = 100)
  table <- anova(fit)
  at <- c(.05, .1, .2, .3, .4, .5, .6, .7, .8, .9)
  nom <- nomogram(fit, fun = plogis, fun.at = at, fun.lp.at = qlogis(at), funlabel = "risk", lp = TRUE)
  axes <- list()
  for (axis in setdiff(names(nom), c("total.points", "lp", "risk")))
    axes[[axis]] <- list(values = nom[[axis]][[1]], points = as.numeric(nom[[axis]]$points))
  out[[name]] <- list(
    coefficients = as.list(coef(glm_fit)), se = as.list(sqrt(diag(vcov(glm_fit)))),
    deviance = glm_fit$deviance, null_deviance = glm_fit$null.deviance,
    c_index = unname(fit$stats["C"]), brier = unname(fit$stats["Brier"]), r2 = unname(fit$stats["R2"]),
    wald = lapply(setNames(rownames(table), trimws(rownames(table))), function(r) as.numeric(table[r, ])),
    knots = lapply(fit$Design$parms, as.numeric),
    linear_predictor = as.numeric(predict(fit)),
    nomogram = list(axes = axes, total = nom$total.points$x, lp = nom$lp$x.real, lp_points = nom$lp$x,
      risk = nom$risk$x.real, risk_points = as.numeric(nom$risk$x),
      points_per_lp = attr(nom, "info")$sc))
}
glm_fit <- glm(formulas$linear, family = binomial, data = birth, epsilon = 1e-15, maxit = 100)
out$vif <- list(glm = as.list(as.data.frame(t(vif(glm_fit)))),
  lm = as.list(as.data.frame(t(vif(lm(formulas$linear, data = birth))))))
out$wald_race <- {b <- coef(glm_fit)[c("raceblack", "raceother")]
  as.numeric(t(b) %*% solve(vcov(glm_fit)[names(b), names(b)]) %*% b)}

set.seed(7)
sample_values <- list(normal = round(rnorm(150, 70, 9), 1), small = round(rnorm(40, 10, 3), 2),
  tied_low = c(rep(0, 30), round(rexp(170) * 10 + 1, 1)), tied_both = c(rep(0, 20), round(runif(160) * 90 + 5, 1), rep(100, 20)),
  heavy = round(rnorm(300, 5, 1)))
out$knots <- list()
for (name in names(sample_values)) for (k in 3:6)
  out$knots[[length(out$knots) + 1]] <- list(values = sample_values[[name]], n = k,
    knots = tryCatch(as.numeric(suppressWarnings(rcspline.eval(sample_values[[name]], nk = k, knots.only = TRUE))), error = function(e) NULL))
out$basis <- list(x = c(1, 4, 7.5, 9, 12, 30), knots = c(2, 5, 8, 14),
  columns = unname(rcspline.eval(c(1, 4, 7.5, 9, 12, 30), knots = c(2, 5, 8, 14), inclx = TRUE)))

set.seed(11)
ranges <- list(c(0, 1), c(14, 45), c(80, 250), c(-3.21, 2.87), c(0.013, 0.27), c(97, 103), c(-1e-7, 3e-7), c(5, 5.5),
  c(-120, 0), c(1e6, 1.2e6), c(19.5, 20.5), c(0, 260.3))
for (i in 1:60) {a <- rnorm(1, 0, 50); ranges[[length(ranges) + 1]] <- sort(c(a, a + rexp(1) * 10^runif(1, -3, 3)))}
out$pretty <- lapply(ranges, function(r) list(range = r, ticks = pretty(r, n = 10)))

data(aSAH)
asah <- data.frame(outcome = ifelse(aSAH$outcome == "Poor", "poor", "good"), sex = tolower(as.character(aSAH$gender)),
  age = aSAH$age, wfns = as.integer(as.character(aSAH$wfns)), s100b = aSAH$s100b, ndka = aSAH$ndka)
write.csv(asah, "asah.csv", row.names = FALSE, quote = FALSE)
out$roc <- list()
for (name in c("age", "wfns", "s100b", "ndka")) {
  r <- roc(asah$outcome == "poor", asah[[name]], quiet = TRUE, direction = "<")
  best <- coords(r, "best", best.method = "youden", transpose = FALSE)
  out$roc[[name]] <- list(auc = as.numeric(auc(r)), se = sqrt(var(r)), ci = as.numeric(ci.auc(r)),
    threshold = best$threshold, sensitivity = best$sensitivity, specificity = best$specificity)
}

data(endometrial, package = "brglm2")
write.csv(endometrial, "endometrial.csv", row.names = FALSE, quote = FALSE)
tightly <- brglmControl(epsilon = 1e-13, maxit = 500)
firth <- glm(HG ~ NV + PI + EH, family = binomial, data = endometrial, method = "brglmFit", type = "AS_mean", control = tightly)
out$firth <- list(coefficients = as.list(coef(firth)), se = as.list(sqrt(diag(vcov(firth)))))
flic_offset <- as.numeric(model.matrix(firth)[, -1] %*% coef(firth)[-1])
out$firth$flic_intercept <- unname(coef(glm(endometrial$HG ~ 1, offset = flic_offset, family = binomial, epsilon = 1e-14)))
# The profile of the penalised likelihood, by R's own optimiser, not by this project's steps.
X <- model.matrix(firth); y <- endometrial$HG
penalised <- function(beta) {eta <- drop(X %*% beta); p <- plogis(eta)
  sum(y * eta - log1p(exp(eta))) + determinant(crossprod(X * sqrt(p * (1 - p))))$modulus / 2}
score <- function(beta) {p <- plogis(drop(X %*% beta)); w <- p * (1 - p); XW <- X * sqrt(w)
  h <- rowSums((XW %*% solve(crossprod(XW))) * XW); drop(crossprod(X, y - p + h * (.5 - p)))}
top <- penalised(coef(firth))
held <- function(which, value) {
  start <- coef(firth); start[which] <- value
  free <- setdiff(seq_along(start), which)
  f <- function(b) {z <- start; z[free] <- b; -penalised(z)}
  g <- function(b) {z <- start; z[free] <- b; -score(z)[free]}
  best <- optim(start[free], f, g, method = "BFGS", control = list(reltol = 1e-16, maxit = 1000))
  best <- optim(best$par, f, g, method = "BFGS", control = list(reltol = 1e-16, maxit = 1000))
  -best$value}
limit <- function(j, side) {b <- coef(firth)[j]; s <- sqrt(diag(vcov(firth)))[j]
  f <- function(v) 2 * (top - held(j, v)) - qchisq(.95, 1)
  uniroot(f, sort(c(b, b + side * 12 * s)), tol = 1e-11)$root}
out$firth$low <- lapply(setNames(1:4, names(coef(firth))), limit, side = -1)
out$firth$high <- lapply(setNames(1:4, names(coef(firth))), limit, side = 1)
out$firth$p <- lapply(setNames(1:4, names(coef(firth))), function(j) pchisq(2 * (top - held(j, 0)), 1, lower.tail = FALSE))
out$firth$group <- 2 * (top - held(c(2, 3), c(0, 0)))

# Optimism: the resamples are drawn here and stored, so that both programs see the same ones.
set.seed(3)
indices <- replicate(40, sample(nrow(birth), replace = TRUE), simplify = FALSE)
measures <- function(lp, y) {p <- plogis(lp); s <- glm(y ~ lp, family = binomial, epsilon = 1e-14, maxit = 100)
  i <- glm(y ~ offset(lp), family = binomial, epsilon = 1e-14, maxit = 100)
  c(c_index = unname(somers2(lp, y)["C"]), brier = mean((p - y)^2), calibration_slope = unname(coef(s)[2]), calibration_intercept = unname(coef(i)[1]))}
boot_formula <- low ~ age + lwt + race + smoke + ui
M <- function(d) glm(boot_formula, family = binomial, data = d, epsilon = 1e-14, maxit = 100)
apparent <- measures(predict(M(birth)), birth$low)
optimism <- rowMeans(sapply(indices, function(i) {fit <- M(birth[i, ])
  measures(predict(fit), birth$low[i]) - measures(predict(fit, newdata = birth), birth$low)}))
out$optimism <- list(indices = lapply(indices, function(i) i - 1), apparent = as.list(apparent), optimism = as.list(optimism))
write(toJSON(out, digits = NA, auto_unbox = TRUE, null = "null"), "golden.json")
