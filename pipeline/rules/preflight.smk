rule preflight_batch:
    input:
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


rule preflight_study:
    input:
        of_batches("preflight.parquet"),
    output:
        table=f"{FOLDER}/tables/preflight.parquet",
        csv=f"{FOLDER}/tables/preflight.csv",
        page=f"{FOLDER}/report/preflight.html",
    log:
        f"{FOLDER}/log/preflight_study/preflight_study.log",
    benchmark:
        f"{FOLDER}/benchmark/preflight_study/preflight_study.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=10,
    params:
        code=code_fingerprint("pipeline.preflight"),
        options=options(config, "on_bad_case"),
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.preflight --study {params.study:q} --gate {input:q} --go-on"
        " --out {output.table:q} --page {output.page:q} > {log:q} 2>&1"


# Judged apart, since Snakemake deletes what a failed job wrote, and the page must stay.
rule gate:
    input:
        f"{FOLDER}/tables/preflight.parquet",
    output:
        f"{FOLDER}/tables/gate.json",
    log:
        f"{FOLDER}/log/gate/gate.log",
    benchmark:
        f"{FOLDER}/benchmark/gate/gate.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=10,
    params:
        code=code_fingerprint("pipeline.preflight"),
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.preflight --study {params.study:q} --check {input:q}"
        " --out {output:q} > {log:q} 2>&1"
