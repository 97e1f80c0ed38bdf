rule references:
    input:
        analysis=f"{FOLDER}/tables/analysis.parquet",
        info=f"{FOLDER}/tables/analysis.json",
        split=f"{FOLDER}/tables/split.parquet",
        masks=f"{FOLDER}/tables/masks.parquet" if HAS_IMAGES else [],
    output:
        f"{FOLDER}/evaluation/references.parquet",
    log:
        f"{FOLDER}/log/references/references.log",
    benchmark:
        f"{FOLDER}/benchmark/references/references.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        code=code_fingerprint("models.references"),
        options=options(config, *read_by("references", config)),
        study=f"{FOLDER}/study",
        masks=lambda wildcards, input: (
            f"--masks {quote(str(input.masks))}" if input.masks else ""
        ),
    shell:
        "python -m models.references --study {params.study:q}"
        " --analysis {input.analysis:q} --info {input.info:q} --split {input.split:q}"
        " {params.masks} --out {output:q} > {log:q} 2>&1"
