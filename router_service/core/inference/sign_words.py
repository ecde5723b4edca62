"""The words that tell how hard a request is, and whether it is technical or a refactoring."""

from __future__ import annotations

from collections.abc import Mapping

from router_service.core.inference.cues import Meaning, Sign

SIGN_WORDS: Mapping[Meaning, str] = {
    Sign.REFACTORING: """
        3.0: clean up this class, clean up this code, refactor, refactoring, refactorise, refactoriza,
            refaktoriere, restructure this
        2.0: clean up this, extract a function, extract method, legacy code, pull out, without changing behavior,
            without changing behaviour
        1.0: clean up, doppelten, duplication, own function, pull the, rename, responsibilities, restructure,
            simplify this, split it
    """,
    Sign.TECHNICAL: """
        2.0: adr, api, async, backend, bash, c++, ci, code review, codebase, compile, cookie, cpu, css, deadlock,
            deadlocks, debug, debugge, debuggen, debugging, django, dns, docker, dockerfile, docstring, fastapi,
            flask, frontend, gherkin, git, golang, graphql, grpc, heap, html, http, http/2, java, javascript,
            jest, jquery, jsdoc, junit, jwt, k6, kafka, kernel, kubernetes, linux, localhost, login handler,
            memory leak, microservice, microservices, middleware, mutex, mysql, node, npm, null pointer, oauth,
            openapi, pip, postgres, postgresql, protobuf, pull request, pytest, python, race conditions, react,
            readme, redis, refactor, refactoring, regex, rest api, rpc, rust, segfault, segmentation fault, sql,
            sqlite, ssh, stack trace, stacktrace, sync service, system design, tcp, terraform, tls, typescript,
            unit test, unit tests, vpn, vulnerabilities, vulnerability, webhook, webhooks, websocket, wire
            protocol
        1.0: alarm, algorithm, app, bug, cache, clase, class, cluster, code, command line, commit, commits,
            compiler, component, config, coverage, csv, database, deploy, dict, encryption, endpoint, exception,
            fonction, framework, función, function, funktion, hook, json, klasse, konfigurationsdatei, latency,
            library, memory, module, on-call, open-source, parser, password, pipeline, plug-in, port, process,
            program, protocol, query, queue, release, repository, rows, schema, script, security, security issues,
            server, shard, software, test, tests, thread, threads, throughput, unitaires, yaml
    """,
    Sign.DEMANDING: """
        6.0: clean up this class, clean up this code, refactor, refactoring, refactorise, refactoriza,
            refaktoriere
        4.0: any bug, any bugs, architect, architecture, architektur, arquitectura, audit my, audit our, audit the,
            audit this, code for bugs, code for security, code for sql injection, code for vulnerabilities, code for
            xss, code review, code safe, code secure, complex, csrf, debug, debugge, debuggen, debugging, exploit,
            find bugs, find the bug, fix the bug, fix this bug, locate the bug, memory leak, migration of our,
            migration plan, migration plan for, multi-step, multi-step plan, null pointer, penetration test, plan a
            migration, plan each step, plan the migration, plan the steps, privilege escalation, race conditions,
            review my code, review the code, review the security, review this code, review this pull request, root
            cause, security audit, security bugs, security flaws, security holes, security issues, security problems,
            security weaknesses, segmentation fault, spot the bug, sql injection, step-by-step plan, steps to migrate,
            system design, threat model, vulnerabilities, xss
        2.0: audit log, build a feature, build a full, chapter, complete, comprehensive, conflict resolution,
            contradict each other, curriculum, deep dive, distributed, due diligence, e-commerce, end-to-end,
            executive summary, feature, full, full stack, full-stack, fully functional, idempotency, in depth,
            integration test, migrate, migration, monolith, multi-tenant, novel, production, production-ready, pull
            request, real-time, security, specification, strategy, taxonomy, thorough, trade-offs, whole, world, write
            a feature
        1.0: across, anomalies, assess, attacker, authentication, authorization, backend, cite, conclusion,
            concurrency, consistency, crashes, deadlocks, design, detail, detailed, develop, drivers, each, every,
            examine, explain, from scratch, guide, impact, inventory, justify, leak, leaking, leaks, legal, medical,
            microservices, motif, multiple, narrator, narrators, order tracking, payment, payments, phases, plan,
            proof, prove, race, rate limiting, reconcile, refunds, retries, risks, rollback, several, structured,
            synthesis, user accounts, webhooks, weigh, without changing, work out
    """,
    Sign.EASY: """
        2.0: basic, boilerplate, einfache, einfachen, hello world, just the, minimal, one line, one sentence,
            one-liner, quick, scaffold, scaffolding, sencilla, sencillo, simple, skeleton, starter, tl;dr, trivial,
            true/false, yes or no
        1.0: a test, brief, capital, create a function, create a method, define a function, ecris une fonction,
            escribe una funcion, escribe una función, function that, function to, function which, haiku, hello, helper
            function, hi, joke, label, limerick, method that, method to, names, only, polite, python function, regex,
            schreibe eine funktion, short, slogan, small, thanks, tips, word, write a function, write a helper, write
            a method, écris une fonction
    """,
}
