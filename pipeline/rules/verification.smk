# Some features computed a second time by plain PyRadiomics; the batches did it as they extracted.
rule verification:
    input:
        parts=of_batches("verification.parquet"),
        extraction=f"{FOLDER}/tables/extraction.parquet",
        features=f"{FOLDER}/tables/features.parquet",
        ingest=f"{FOLDER}/tables/ingest.parquet",
        masks=f"{FOLDER}/tables/masks.parquet",
    output:
        table=f"{FOLDER}/tables/verification.parquet",
        csv=f"{FOLDER}/tables/verification.csv",
    log:
        f"{FOLDER}/log/verification/verification.log",
    benchmark:
        f"{FOLDER}/benchmark/verification/verification.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        code=code_fingerprint("pipeline.verify"),
        options=options(config, *read_by("verification", config)),
        extraction=parameter_file(config["extraction"]["params"]),
        study=f"{FOLDER}/study",
        batches=folder_of_batches,
    shell:
        "python -m pipeline.verify --study {params.study:q}"
        " --extraction {input.extraction:q} --features {input.features:q}"
        " --ingest {input.ingest:q} --masks {input.masks:q} --batches {params.batches:q}"
        " --out {output.table:q} > {log:q} 2>&1"


# Judged apart, since Snakemake deletes what a failed job wrote, and the table must stay.
rule verified:
    input:
        f"{FOLDER}/tables/verification.parquet",
    output:
        f"{FOLDER}/tables/verified.json",
    log:
        f"{FOLDER}/log/verified/verified.log",
    benchmark:
        f"{FOLDER}/benchmark/verified/verified.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("pipeline.verify"),
    shell:
        "python -m pipeline.verify --check {input:q} --out {output:q} > {log:q} 2>&1"
