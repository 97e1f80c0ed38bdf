rule resample:
    input:
        **(
            {"gate": f"{FOLDER}/tables/gate.json"}
            if config["on_bad_case"] == "stop"
            else {}
        ),
        ingest=f"{FOLDER}/batches/{{batch}}/ingest.parquet",
        masks=f"{FOLDER}/batches/{{batch}}/masks.parquet",
        preflight=f"{FOLDER}/batches/{{batch}}/preflight.parquet",
    output:
        f"{FOLDER}/batches/{{batch}}/resample.parquet",
    log:
        f"{FOLDER}/log/resample/{{batch}}.log",
    benchmark:
        f"{FOLDER}/benchmark/resample/{{batch}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        code=code_fingerprint("pipeline.resample"),
        options=options(config, *read_by("resample", config)),
        extraction=parameter_file(config["extraction"]["params"]),
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.resample --study {params.study:q} --batch {wildcards.batch}"
        " --ingest {input.ingest:q} --masks {input.masks:q} --preflight {input.preflight:q}"
        " --out {output:q} > {log:q} 2>&1"
