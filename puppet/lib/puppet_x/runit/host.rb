# frozen_string_literal: true

require_relative 'tool'

module PuppetX; end unless defined?(PuppetX)
module PuppetX::Runit; end unless defined?(PuppetX::Runit)

# One host during one run of Puppet: asked once how everything is, and told in as few commands as the catalogue's order allows.
class PuppetX::Runit::Host
  # What is seen where nothing can be asked.
  NOTHING = %w[states services paths logins leftovers].to_h { |key| [key, []] }.freeze
  private_constant :NOTHING

  # tool: a Tool, or nil where it is yet to be brought, as during noop; text: data that are not in the tool's file yet, likewise, or nil.
  def initialize(tool, text = nil)
    @tool = tool
    @text = text
    @failed = {}
    @begun = {}
    @applied = {}
  end

  # The rows of the services that the data know under one name: a service has one, or one for each of its instances.
  #
  # name: the id; key: the dotted key of the data, or nil.
  def rows(name, key)
    by_id[name] || by_key[key] || []
  end

  # Whether nothing can be asked of it yet.
  def unseen?
    @tool.nil?
  end

  # What is to be done that belongs to no service of the data, in words.
  def rest
    return ['all that the data say: the tool is yet to be brought'] if unseen?

    @rest ||= [*runtime, *accounts, *shared, *gone, *seen['leftovers'].map { |path| "#{path}: left behind" }]
  end

  # The services' own changes, in words; verbs: what happens to its process.
  def verbs(row)
    verbs_by_id.fetch(row['service'], [])
  end

  # Whether a service that is to be up does not stay up from one look to the next; each may meet it down, or by chance while it runs.
  def keeps_ending?(row)
    starting?(row) && again.fetch(row['service'], []).any? { |later| starting?(later) }
  end

  # Do what belongs to no service; give what there is to be told of it.
  def apply_rest
    report = @tool.apply(nil)
    raise PuppetX::Runit::Tool::Refusal, report['problems'].join("\n") unless report['ok']

    report['notes']
  end

  # Do what some services need, with one command; give what there is to be told of it. What failed is asked for later.
  def apply(rows)
    ids = rows.map { |row| row['service'] }
    ids.each { |id| @applied[id] = true }
    report = @tool.apply(ids)
    report['services'].each { |call| @begun[call['service']] = true if %w[start restart renew].include?(call['verb']) }
    @failed.merge!(report['failed'].slice(*ids))
    report['notes']
  rescue PuppetX::Runit::Tool::Refusal => e
    ids.each { |id| @failed[id] = [e.message] }
    []
  end

  def applied?(row)
    @applied.key?(row['service'])
  end

  # What kept a service from being as it should; nil when nothing did.
  def failure(row)
    @failed[row['service']]&.join("\n")
  end

  # Restart services; those that have just been started for other reasons have read all that is new.
  def restart(rows)
    ids = rows.map { |row| row['service'] }.reject { |id| @begun[id] }
    return if ids.empty?

    report = @tool.restart(ids)
    raise PuppetX::Runit::Tool::Refusal, report['problems'].join("\n") unless report['ok']
  end

  private

  PAUSE = 2
  # A supervisor lets a second pass between two starts: what is older has stayed up, seconds.
  YOUNG = 1
  private_constant :PAUSE, :YOUNG

  def starting?(row)
    row['want'] == 'up' && (row['state'] != 'up' || row['young'])
  end

  def again
    @again ||= sleep(PAUSE) && look['states'].group_by { |row| row['service'] }
  end

  def seen
    @seen ||= unseen? ? NOTHING : look
  end

  # By two readings of the clock, so that a clock that was set back makes nothing young for long.
  def look
    before = Time.now.to_f
    found = @tool.check(@text)
    after = Time.now.to_f
    found['states'].each { |row| row['young'] = row['since']&.between?(before - YOUNG, after) }
    found
  end

  def known
    @known ||= seen['states'].reject { |row| row['gone'] }
  end

  def by_id
    @by_id ||= known.group_by { |row| row['service'] }
  end

  def by_key
    @by_key ||= known.group_by { |row| row['key'] }
  end

  def verbs_by_id
    @verbs_by_id ||= seen['services'].group_by { |call| call['service'] }.transform_values { |calls| calls.map { |call| call['verb'] } }
  end

  def runtime
    seen['runtime'] ? ["#{seen['runtime']}: the shipped runtime"] : []
  end

  def accounts
    seen['logins'].map { |step| "#{step['kind']} #{step['name']}: #{step['reason']}" }
  end

  def shared
    seen['paths'].select { |step| step['service'].empty? || !by_id.key?(step['service']) && !gone_ids.include?(step['service']) }
                 .map { |step| "#{step['path']}: #{step['reason']}" }
  end

  def gone
    seen['states'].select { |row| row['gone'] && row['drift'] }.map { |row| "#{row['service']}: #{row['reasons'].last}" }
  end

  def gone_ids
    @gone_ids ||= seen['states'].select { |row| row['gone'] }.map { |row| row['service'] }
  end
end
