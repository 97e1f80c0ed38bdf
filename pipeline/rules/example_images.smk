rule example_images:
    output:
        directory(f"{FOLDER}/example_images"),
    log:
        f"{FOLDER}/log/example_images/example_images.log",
    benchmark:
        f"{FOLDER}/benchmark/example_images/example_images.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("pipeline.example_images"),
        options=options(config, *read_by("example_images", config)),
        files=files_state(files_of(EXAMPLES)),
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.example_images --study {params.study:q} --out {output:q}"
        " > {log:q} 2>&1"
