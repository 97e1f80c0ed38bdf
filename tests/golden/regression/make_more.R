# Makes the golden values of tests/models/regression/test_more_tables.py. No test runs it.
# Rscript make_more.R (Debian: r-cran-rms r-cran-proc r-cran-mass r-cran-brglm2 r-cran-survival r-cran-rpart)
suppressMessages({library(rms); library(pROC); library(MASS); library(brglm2); library(jsonlite)})
options(digits = 17)
version <- function(name) as.character(packageVersion(name))
out <- list(versions = c(list(R = R.version.string),
  sapply(c("rms", "Hmisc", "pROC", "MASS", "brglm2", "survival", "rpart"), version, simplify = FALSE)))

kyphosis <- rpart::kyphosis
kyphosis <- data.frame(kyphosis = as.integer(kyphosis$Kyphosis == "present"), age = kyphosis$Age,
  number = kyphosis$Number, start = kyphosis$Start)
pima <- rbind(MASS::Pima.tr, MASS::Pima.te)
pima <- data.frame(diabetes = as.integer(pima$type == "Yes"), pima[, 1:7])
gbsg <- survival::gbsg
gbsg <- data.frame(recurred = gbsg$status, gbsg[, c("age", "meno", "size", "grade", "nodes", "pgr", "er", "hormon")])
gbsg$grade <- factor(gbsg$grade, labels = c("one", "two", "three"))
for (name in c("meno", "hormon")) gbsg[[name]] <- factor(gbsg[[name]], labels = c("no", "yes"))
tables <- list(kyphosis = kyphosis, pima = pima, gbsg = gbsg)
for (name in names(tables)) write.csv(tables[[name]], paste0(name, ".csv"), row.names = FALSE, quote = FALSE)

formulas <- list(
  kyphosis = kyphosis ~ rcs(age, 3) + number + start,
  pima = diabetes ~ npreg + rcs(glu, 4) + bp + skin + rcs(bmi, 5) + ped + age,
  gbsg = recurred ~ rcs(age, 5) + meno + size + grade + rcs(nodes, 3) + pgr + er + hormon)
tight <- function(...) glm(..., family = binomial, epsilon = 1e-15, maxit = 100)
measures <- function(lp, y) {p <- plogis(lp); s <- tight(y ~ lp); i <- tight(y ~ offset(lp))
  c(c_index = unname(somers2(lp, y)["C"]), brier = mean((p - y)^2), calibration_slope = unname(coef(s)[2]),
    calibration_intercept = unname(coef(i)[1]))}
# The profile of the penalised likelihood, by R's own optimiser, not by this project's steps.
profiled <- function(X, y, fit) {
  penalised <- function(b) {eta <- drop(X %*% b); p <- plogis(eta)
    sum(y * eta - log1p(exp(eta))) + determinant(crossprod(X * sqrt(p * (1 - p))))$modulus / 2}
  score <- function(b) {p <- plogis(drop(X %*% b)); w <- p * (1 - p); XW <- X * sqrt(w)
    h <- rowSums((XW %*% solve(crossprod(XW))) * XW); drop(crossprod(X, y - p + h * (.5 - p)))}
  beta <- coef(fit); errors <- sqrt(diag(vcov(fit))); top <- penalised(beta)
  held <- function(which, value) {start <- beta; start[which] <- value; free <- setdiff(seq_along(start), which)
    scale <- errors[free]; at <- function(b) {z <- start; z[free] <- b * scale; z}
    f <- function(b) -penalised(at(b)); g <- function(b) -score(at(b))[free] * scale
    best <- list(par = start[free] / scale)
    for (again in 1:3) best <- optim(best$par, f, g, method = "BFGS", control = list(reltol = 1e-16, maxit = 1000))
    -best$value}
  limit <- function(j, side) uniroot(function(v) 2 * (top - held(j, v)) - qchisq(.95, 1),
    sort(c(beta[j], beta[j] + side * 8 * errors[j])), tol = 1e-11)$root
  each <- setNames(seq_along(beta), names(beta))
  list(coefficients = as.list(beta), se = as.list(errors), low = lapply(each, limit, side = -1),
    high = lapply(each, limit, side = 1),
    p = lapply(each, function(j) pchisq(2 * (top - held(j, 0)), 1, lower.tail = FALSE)))
}
set.seed(14)
for (name in names(tables)) {
  table <- tables[[name]]; formula <- formulas[[name]]; outcome <- table[[1]]
  dd <- datadist(table); options(datadist = "dd")
  fit <- lrm(formula, data = table, eps = 1e-9, maxit = 200, tol = 1e-20, x = TRUE, y = TRUE)
  reference <- tight(formula, data = table)
  tests <- anova(fit)
  at <- c(.05, .1, .2, .3, .4, .5, .6, .7, .8, .9)
  nom <- nomogram(fit, fun = plogis, fun.at = at, fun.lp.at = qlogis(at), funlabel = "risk", lp = TRUE)
  axes <- list()
  for (axis in setdiff(names(nom), c("total.points", "lp", "risk")))
    axes[[axis]] <- list(values = nom[[axis]][[1]], points = as.numeric(nom[[axis]]$points))
  of <- roc(outcome, predict(fit), quiet = TRUE, direction = "<")
  plain <- reformulate(all.vars(formula)[-1], all.vars(formula)[1])
  firth <- glm(plain, family = binomial, data = table, method = "brglmFit", type = "AS_mean",
    control = brglmControl(epsilon = 1e-13, maxit = 1000))
  indices <- replicate(12, sample(nrow(table), replace = TRUE), simplify = FALSE)
  M <- function(d) tight(plain, data = d)
  apparent <- measures(predict(M(table)), outcome)
  optimism <- rowMeans(sapply(indices, function(i) {own <- M(table[i, ])
    measures(predict(own), outcome[i]) - measures(predict(own, newdata = table), outcome)}))
  out[[name]] <- list(
    coefficients = as.list(coef(reference)), se = as.list(sqrt(diag(vcov(reference)))),
    deviance = reference$deviance, null_deviance = reference$null.deviance, r2 = unname(fit$stats["R2"]),
    wald = lapply(setNames(rownames(tests), trimws(rownames(tests))), function(r) as.numeric(tests[r, ])),
    knots = lapply(Filter(is.numeric, fit$Design$parms), as.numeric),
    nomogram = list(axes = axes, total = nom$total.points$x, lp = nom$lp$x.real, lp_points = nom$lp$x,
      risk = nom$risk$x.real, risk_points = as.numeric(nom$risk$x), points_per_lp = attr(nom, "info")$sc),
    roc = list(auc = as.numeric(auc(of)), se = sqrt(var(of)), ci = as.numeric(ci.auc(of))),
    firth = profiled(model.matrix(firth), outcome, firth),
    optimism = list(indices = lapply(indices, function(i) i - 1), apparent = as.list(apparent), optimism = as.list(optimism)))
}
write(toJSON(out, digits = NA, auto_unbox = TRUE, null = "null"), "more.json")
