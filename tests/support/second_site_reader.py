"""The other reader of frozen models for harmonised features, written from the schema alone."""

import numpy as np

from tests.support.second_reader import SecondReader


class SecondSiteReader(SecondReader):
    def block(self, b, told, patient):
        if "harmonise" not in told:
            return super().block(b, told, patient)
        site, names = told["harmonise"], [one["column"] for one in told["inputs"]]
        x = np.array([patient[name] for name in names], float)
        x = np.where(np.isnan(x), self.arrays(b, "fill")[0], x)
        named = ("middle", "unit", "center", "spread", "adjusted", "weight", "shift", "stretch")
        middle, unit, center, spread, adjusted, weight, shift, stretch = self.arrays(
            f"{b}harmonise.", *named
        )
        own = patient[site["column"]]
        if own not in site["sites"]:
            assert own in site["passed"]
            return super().block(b, told, patient)
        kept = self.covariates(site["covariates"], patient) @ weight
        y, i = (x - middle) / unit, site["sites"].index(own)
        v = (y - center - kept) / spread
        if own != site["reference"]:
            y = np.where(adjusted, (v - shift[i]) / stretch[i] * spread + center + kept, y)
        return super().block(b, told, patient | dict(zip(names, y * unit + middle, strict=True)))

    def covariates(self, told, patient):
        c = []
        for one in told:
            value, levels = patient[one["column"]], one.get("levels", [])[1:]
            missing = value is None or str(value) == "nan"
            level = one["fill"] if levels and missing else value
            c += [float(level == each) for each in levels] or [np.nan if missing else value]
        fill = self.arrays("block0.harmonise.", "fill")[0]
        return np.where(np.isnan(c), fill, c)
