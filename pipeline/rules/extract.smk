rule extract:
    input:
        resample=f"{FOLDER}/batches/{{batch}}/resample.parquet",
    output:
        features=f"{FOLDER}/batches/{{batch}}/features.parquet",
        status=f"{FOLDER}/batches/{{batch}}/extraction.parquet",
    log:
        f"{FOLDER}/log/extract/{{batch}}.log",
    benchmark:
        f"{FOLDER}/benchmark/extract/{{batch}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(4000),
        runtime=240,
    params:
        code=code_fingerprint("pipeline.extract"),
        options=options(config, "on_bad_case", "extraction.engine"),
        extraction=parameter_file(config["extraction"]["params"]),
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.extract --study {params.study:q} --batch {wildcards.batch}"
        " --resample {input.resample:q} --out {output.features:q} --status {output.status:q}"
        " > {log:q} 2>&1"
