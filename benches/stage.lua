-- What the loads share: members, orders, and a count of the answers. A load sets `name`, and says in `request` what it asks
-- and in `response` what is right.

local threads = {}

function setup(thread)
    thread:set("number", #threads)
    threads[#threads + 1] = thread
end

-- Reads the arguments after `--`: a file with a member's id in each line, a token, and a word that no other run uses.
function begin(arguments)
    members = {}
    for id in io.lines(arguments[1]) do
        members[#members + 1] = id
    end
    headers = { ["Authorization"] = "Bearer " .. arguments[2], ["Content-Type"] = "application/json" }
    run = arguments[3]
    made, right, other = 0, 0, 0
    math.randomseed(os.time() + number)
end

function anyone()
    return members[math.random(#members)]
end

function count(is_right, status, body)
    if is_right then
        right = right + 1
    else
        other = other + 1
        if other == 1 then
            print("first other answer: " .. status .. " " .. body)
        end
    end
end

function done(summary, latency)
    local right, other, given = 0, 0, 0
    for _, thread in ipairs(threads) do
        right = right + thread:get("right")
        other = other + thread:get("other")
        given = given + (thread:get("given") or 0)
    end
    local errors = summary.errors
    print(string.format("%s %d %d %d %.3f %.3f %.3f", name, right, other,
        errors.connect + errors.read + errors.write + errors.timeout,
        summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3)
        .. (given > 0 and " " .. given or ""))
end
