rule ingest:
    output:
        f"{FOLDER}/batches/{{batch}}/ingest.parquet",
    log:
        f"{FOLDER}/log/ingest/{{batch}}.log",
    benchmark:
        f"{FOLDER}/benchmark/ingest/{{batch}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        code=code_fingerprint("pipeline.ingest"),
        options=options(config, *read_by("ingest", config)),
        rows=rows_of_batch("patient_id", "scan_id", "image", "series"),
        files=files_of_batch("image"),
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.ingest --study {params.study:q} --batch {wildcards.batch}"
        " --out {output:q} > {log:q} 2>&1"
