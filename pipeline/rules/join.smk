if HAS_MODELS:

    rule join:
        input:
            **TO_JOIN,
            **VERIFIED,
            **PERTURBED,
        output:
            **PERTURBED_UNITS,
            analysis=f"{FOLDER}/tables/analysis.parquet",
            csv=f"{FOLDER}/tables/analysis.csv",
            info=f"{FOLDER}/tables/analysis.json",
            flow=f"{FOLDER}/tables/flow.json",
        log:
            f"{FOLDER}/log/join/join.log",
        benchmark:
            f"{FOLDER}/benchmark/join/join.tsv"
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=memory(8000 if PERTURBED else 2000),
            runtime=minutes(10),
        params:
            code=code_fingerprint("pipeline.join"),
            options=options(config, *read_by("join", config)),
            rows=ROWS_TO_JOIN,
            tables=[
                *[f"--{name} {quote(path)}" for name, path in TO_JOIN.items()],
                *[f"--perturbed {quote(FOLDER)}/batches" for _ in PERTURBED_UNITS],
            ],
            study=f"{FOLDER}/study",
        shell:
            "python -m pipeline.join --study {params.study:q} {params.tables}"
            " --out {output.analysis:q} --info {output.info:q} --flow {output.flow:q}"
            " > {log:q} 2>&1"

else:

    rule flow:
        input:
            **TO_JOIN,
            **VERIFIED,
        output:
            f"{FOLDER}/tables/flow.json",
        log:
            f"{FOLDER}/log/flow/flow.log",
        benchmark:
            f"{FOLDER}/benchmark/flow/flow.tsv"
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=memory(1000),
            runtime=minutes(10),
        params:
            code=code_fingerprint("pipeline.join"),
            options=options(config, *read_by("flow", config)),
            rows=ROWS_TO_JOIN,
            tables=[f"--{name} {quote(path)}" for name, path in TO_JOIN.items()],
            study=f"{FOLDER}/study",
        shell:
            "python -m pipeline.join --study {params.study:q} {params.tables}"
            " --flow-only --flow {output:q} > {log:q} 2>&1"
