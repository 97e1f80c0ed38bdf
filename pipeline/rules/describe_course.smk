rule describe_course:
    output:
        directory(f"{FOLDER}/outcomes/course"),
    log:
        f"{FOLDER}/log/describe_course/describe_course.log",
    benchmark:
        f"{FOLDER}/benchmark/describe_course/describe_course.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_fingerprint("pipeline.describe_course"),
        options=options(config, *read_by("describe_course", config)),
        rows=ROWS_TO_JOIN,
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.describe_course --study {params.study:q} --out {output:q}"
        " > {log:q} 2>&1"
