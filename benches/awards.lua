-- The load of benches/awards: each request is an order that nobody posted before, for a random imported member.
-- Arguments after `--`: a file with a member's id in each line, a token, a word that no other run uses, and perhaps when
-- the orders occurred, if not now.

local threads = {}

function setup(thread)
    thread:set("number", #threads)
    threads[#threads + 1] = thread
end

function init(arguments)
    members = {}
    for id in io.lines(arguments[1]) do
        members[#members + 1] = id
    end
    run = arguments[3]
    headers = { ["Authorization"] = "Bearer " .. arguments[2], ["Content-Type"] = "application/json" }
    occurred_at = arguments[4] or os.date("!%Y-%m-%dT%H:%M:%SZ")
    made, created, other = 0, 0, 0
    math.randomseed(os.time() + number)
end

function request()
    made = made + 1
    local body = string.format(
        '{"order_id":"bench-%s-%d-%d","member_id":"%s","occurred_at":"%s","currency":"USD","amount":"%d.%02d"}',
        run, number, made, members[math.random(#members)], occurred_at, math.random(1, 300), math.random(0, 99))
    return wrk.format("POST", "/v1/orders", headers, body)
end

function response(status, _, body)
    if status == 201 and body:find('"calculation":[{', 1, true) and body:find('"wallet":{', 1, true) then
        created = created + 1
    else
        other = other + 1
        if other == 1 then
            print("first other answer: " .. status .. " " .. body)
        end
    end
end

function done(summary, latency)
    local created, other = 0, 0
    for _, thread in ipairs(threads) do
        created = created + thread:get("created")
        other = other + thread:get("other")
    end
    local errors = summary.errors
    print(string.format("awards %d %d %d %.3f %.3f %.3f", created, other,
        errors.connect + errors.read + errors.write + errors.timeout,
        summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
