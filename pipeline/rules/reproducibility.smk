rule reproducibility:
    input:
        **AGREEMENT,
        features=f"{FOLDER}/tables/features.parquet",
    output:
        table=f"{FOLDER}/tables/reproducibility.parquet",
        csv=f"{FOLDER}/tables/reproducibility.csv",
        families=f"{FOLDER}/tables/reproducibility_families.parquet",
        families_csv=f"{FOLDER}/tables/reproducibility_families.csv",
    log:
        f"{FOLDER}/log/reproducibility/reproducibility.log",
    benchmark:
        f"{FOLDER}/benchmark/reproducibility/reproducibility.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("pipeline.reproducibility"),
        options=options(config, *read_by("reproducibility", config)),
        agreement=[f"--agreement {quote(path)}" for path in AGREEMENT.values()],
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.reproducibility --study {params.study:q}"
        " --features {input.features:q} {params.agreement} --out {output.table:q}"
        " --families {output.families:q} > {log:q} 2>&1"
