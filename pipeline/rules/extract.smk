rule extract:
    input:
        resample=f"{FOLDER}/batches/{{batch}}/resample.parquet",
        ingest=f"{FOLDER}/batches/{{batch}}/ingest.parquet",
        masks=f"{FOLDER}/batches/{{batch}}/masks.parquet",
    output:
        features=f"{FOLDER}/batches/{{batch}}/features.parquet",
        status=f"{FOLDER}/batches/{{batch}}/extraction.parquet",
        verification=f"{FOLDER}/batches/{{batch}}/verification.parquet",
    log:
        f"{FOLDER}/log/extract/{{batch}}.log",
    benchmark:
        f"{FOLDER}/benchmark/extract/{{batch}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        code=code_fingerprint("pipeline.extract"),
        options=options(config, *read_by("extract", config)),
        extraction=parameter_file(config["extraction"]["params"]),
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.extract --study {params.study:q} --batch {wildcards.batch}"
        " --resample {input.resample:q} --ingest {input.ingest:q} --masks {input.masks:q}"
        " --out {output.features:q} --status {output.status:q}"
        " --verification {output.verification:q} > {log:q} 2>&1"
