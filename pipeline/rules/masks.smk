rule masks:
    input:
        ingest=f"{FOLDER}/batches/{{batch}}/ingest.parquet",
    output:
        f"{FOLDER}/batches/{{batch}}/masks.parquet",
    log:
        f"{FOLDER}/log/masks/{{batch}}.log",
    benchmark:
        f"{FOLDER}/benchmark/masks/{{batch}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        code=code_fingerprint("segmentation.masks"),
        options=options(config, *read_by("masks", config)),
        rows=rows_of_batch(),
        files=files_of_batch("mask"),
        study=f"{FOLDER}/study",
    shell:
        "python -m segmentation.masks --study {params.study:q} --batch {wildcards.batch}"
        " --ingest {input.ingest:q} --out {output:q} > {log:q} 2>&1"


rule agreement:
    input:
        ingest=f"{FOLDER}/batches/{{batch}}/ingest.parquet",
        masks=f"{FOLDER}/batches/{{batch}}/masks.parquet",
    output:
        table=f"{FOLDER}/batches/{{batch}}/agreement.parquet",
        pictures=directory(f"{FOLDER}/batches/{{batch}}/pictures"),
    log:
        f"{FOLDER}/log/agreement/{{batch}}.log",
    benchmark:
        f"{FOLDER}/benchmark/agreement/{{batch}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        code=code_fingerprint("segmentation.agreement"),
        options=options(config, *read_by("agreement", config)),
        study=f"{FOLDER}/study",
    shell:
        "python -m segmentation.agreement --study {params.study:q} --batch {wildcards.batch}"
        " --ingest {input.ingest:q} --masks {input.masks:q}"
        " --out {output.table:q} --pictures {output.pictures:q} > {log:q} 2>&1"
