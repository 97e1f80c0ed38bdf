rule reproducibility:
    input:
        features=f"{FOLDER}/tables/features.parquet",
    output:
        table=f"{FOLDER}/tables/reproducibility.parquet",
        csv=f"{FOLDER}/tables/reproducibility.csv",
    log:
        f"{FOLDER}/log/reproducibility/reproducibility.log",
    benchmark:
        f"{FOLDER}/benchmark/reproducibility/reproducibility.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        code=code_fingerprint("pipeline.reproducibility"),
        options=options(config, "model_reader", "evaluation.confidence"),
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.reproducibility --study {params.study:q}"
        " --features {input.features:q} --out {output.table:q} > {log:q} 2>&1"
