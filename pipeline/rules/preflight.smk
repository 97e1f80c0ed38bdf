rule preflight_batch:
    input:
        study=STUDY,
        ingest=f"{FOLDER}/batches/{{batch}}/ingest.parquet",
        masks=f"{FOLDER}/batches/{{batch}}/masks.parquet",
    output:
        f"{FOLDER}/batches/{{batch}}/preflight.parquet",
    log:
        f"{FOLDER}/log/preflight_batch/{{batch}}.log",
    benchmark:
        f"{FOLDER}/benchmark/preflight_batch/{{batch}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=10,
    params:
        code=code_fingerprint("pipeline.preflight"),
        rows=rows_of_batch("case_id", "reader", "image", "mask"),
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.preflight --study {params.study:q} --batch {wildcards.batch}"
        " --ingest {input.ingest:q} --masks {input.masks:q} --out {output:q} > {log:q} 2>&1"
