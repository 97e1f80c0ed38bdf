# Makes the golden values of tests/models/validation. No test runs it: R is not needed.
# Rscript make.R (Debian: r-base-core r-cran-rms); it reads ../regression/birthwt.csv.
suppressMessages(library(rms))
options(digits = 17)
birth <- read.csv("../regression/birthwt.csv")
risk <- plogis(0.9 - 0.016 * birth$lwt + 0.7 * (birth$smoke == "yes") + 0.9 * (birth$race == "black"))
found <- val.prob(risk, birth$low, pl = FALSE)
exact <- lowess(risk, birth$low, iter = 0, delta = 0)
apart <- abs(risk - approx(exact, xout = risk, ties = mean)$y)
lp <- qlogis(risk)
alone <- glm(birth$low ~ offset(lp), family = binomial, epsilon = 1e-14)
both <- glm(birth$low ~ lp, family = binomial, epsilon = 1e-14)
rows <- rbind(
  data.frame(what = paste0("val.prob ", names(found)), value = as.numeric(found)),
  data.frame(what = c("lowess exact eavg", "lowess exact e50", "lowess exact e90", "lowess exact emax"),
             value = c(mean(apart), median(apart), quantile(apart, 0.9), max(apart))),
  data.frame(what = c("offset intercept", "offset se", "joint intercept", "joint intercept se", "joint slope",
                      "joint slope se", "logLik as is", "logLik offset", "logLik joint", "p as is", "p offset"),
             value = c(coef(alone), sqrt(vcov(alone)), coef(both)[1], sqrt(vcov(both)[1, 1]), coef(both)[2],
                       sqrt(vcov(both)[2, 2]), sum(dbinom(birth$low, 1, risk, log = TRUE)), logLik(alone), logLik(both),
                       pchisq(2 * (logLik(both) - sum(dbinom(birth$low, 1, risk, log = TRUE))), 2, lower.tail = FALSE),
                       pchisq(2 * (logLik(both) - logLik(alone)), 1, lower.tail = FALSE))))
rows <- rbind(data.frame(what = c(R.version.string, paste("rms", packageVersion("rms"))), value = NA), rows)
write.csv(rows, "val_prob.csv", row.names = FALSE, quote = TRUE)
