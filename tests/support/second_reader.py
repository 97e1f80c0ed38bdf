"""Another reader of frozen models, written from the schema alone: no checks, imputation by fill."""

import io
import json
import zipfile

import numpy as np


class SecondReader:
    def __init__(self, path):
        with zipfile.ZipFile(path) as file:
            self.members = {name: file.read(name) for name in file.namelist()}
        self.told = json.loads(self.members["model.json"])["procedure"]

    def arrays(self, p, *names):
        return [np.load(io.BytesIO(self.members[f"arrays/procedure.{p}{n}.npy"])) for n in names]

    def risk(self, patient):
        blocks = [self.block(f"block{i}.", b, patient) for i, b in enumerate(self.told["blocks"])]
        told, z = self.told["classifier"], np.concatenate([*blocks, []])
        if told["kind"] in ("constant", "forest"):
            return told["risk"] if "risk" in told else self.forest(z)
        if told["kind"] in ("boosted_trees", "tabnet"):
            return 1 / (1 + np.exp(-getattr(self, told["kind"])(z, told)))
        odds = told["intercept"] + self.arrays("classifier.", "coefficient")[0] @ z
        return 1 / (1 + np.exp(-(told.get("slope", 1) * odds + told.get("offset", 0))))

    def block(self, b, told, patient):
        names, x = [], []
        for one in told["inputs"]:
            value, levels = patient[one["column"]], one.get("levels", [])[1:]
            missing = value is None or str(value) == "nan"
            level = one["fill"] if levels and missing else value
            names += [f"{one['column']}={each}" for each in levels] or [one["column"]]
            names += [f"{one['column']}=(missing)"] * one["indicator"]
            x += [float(level == each) for each in levels] or [np.nan if missing else value]
            x += [float(missing)] * one["indicator"]
        fill, center, scale, constant = self.arrays(b, "fill", "center", "scale", "constant")
        z = (np.where(np.isnan(x), fill, x) - center) / scale
        return np.where(constant, 0, z)[[names.index(name) for name in told["kept"]]]

    def forest(self, z):
        begin, column, cut = self.arrays("classifier.", "begin", "column", "threshold")
        left, right, share = self.arrays("classifier.", "left", "right", "share")
        at, root, z = begin[:-1], begin[:-1], np.float64(np.float32(z))
        while (inner := left[at] >= 0).any():
            at = np.where(inner, root + np.where(z[column[at]] <= cut[at], left[at], right[at]), at)
        return share[at].mean()

    def boosted_trees(self, z, _):
        told = json.loads(self.members["trees/procedure.json"])["learner"]
        p, z, total = float(told["learner_model_param"]["base_score"].strip("[]")), np.float32(z), 0
        for tree in told["gradient_booster"]["model"]["trees"]:
            at, cuts = 0, np.float32(tree["split_conditions"])
            while tree["left_children"][at] >= 0:
                side = "left" if z[tree["split_indices"][at]] < cuts[at] else "right"
                at = tree[side + "_children"][at]
            total += float(cuts[at])
        return total - np.log(1 / p - 1)

    def tabnet(self, z, told):
        (scale, shift), n_d = self.arrays("classifier.input_", "scale", "shift"), told["n_d"]
        x, prior, total, out = np.float32(z) * scale + shift, 1, 0, None
        for step in ["split", *(f"step{s}_" for s in range(told["steps"]))]:
            if out is not None:
                weight, shift = self.arrays(f"classifier.attention{step[4:-1]}_", "weight", "shift")
                v = (weight @ out[n_d:] + shift) * prior
                s = np.sort(v)[::-1]
                n = (1 + np.arange(1, len(v) + 1) * s > np.cumsum(s)).sum()
                mask = np.maximum(v - (s[:n].sum() - 1) / n, 0)
                prior = (told["gamma"] - mask) * prior
            last, out = out, x if out is None else mask * x
            for i in range(told["gated"]):
                weight, shift = self.arrays(f"classifier.{step}{i}_", "weight", "shift")
                u, v = np.split(weight @ out + shift, 2)
                gated = u / (1 + np.exp(-v))
                out = (out + gated) * np.sqrt(np.float32(0.5)) if i else gated
            total = total + (0 if last is None else np.maximum(out[:n_d], 0))
        return np.diff(self.arrays("classifier.", "final_weight")[0] @ total)[0]
