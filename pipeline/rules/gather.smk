rule gather:
    input:
        parts=of_batches("{table}.parquet"),
    output:
        table=f"{FOLDER}/tables/{{table}}.parquet",
        csv=f"{FOLDER}/tables/{{table}}.csv",
    log:
        f"{FOLDER}/log/gather/{{table}}.log",
    benchmark:
        f"{FOLDER}/benchmark/gather/{{table}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        code=code_fingerprint("pipeline.gather"),
    shell:
        "python -m pipeline.gather --out {output.table:q} {input.parts:q} > {log:q} 2>&1"
