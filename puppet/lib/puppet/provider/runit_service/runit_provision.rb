# frozen_string_literal: true

require 'shellwords'
require_relative '../../../puppet_x/runit/applied'
require_relative '../../../puppet_x/runit/reasoned'
require_relative '../../../puppet_x/runit/tool'

Puppet::Type.type(:runit_service).provide(:runit_provision) do
  desc 'The command `runit-provision`: one `check` for all services of a host, and one `apply` for all whose turn has come.'

  STATES = { 'up' => :running, 'finish' => :stopped, 'down' => :stopped, 'not supervised' => :unsupervised }.freeze

  # What `puppet resource runit_service` lists: the services that apply has made here, and how each is.
  def self.instances
    command = PuppetX::Runit::Applied.command
    raise Puppet::Error, PuppetX::Runit::Tool::NEEDS unless command

    rows = PuppetX::Runit::Tool.new(Shellwords.split(command), nil).status
    rows.map { |row| new(name: row['service'], ensure: STATES.fetch(row['state'])) }
  rescue PuppetX::Runit::Tool::Refusal => e
    raise Puppet::Error, e.message
  end

  # What the data want of it.
  def wanted
    problems = rows.flat_map { |row| row['problems'] }.uniq
    raise Puppet::Error, problems.join("\n") unless problems.empty?

    wishes = rows.map { |row| row['ensure'].to_sym }.uniq
    wishes.first || :absent
  end

  # The state that it is listed with.
  def listed
    get(:ensure)
  end

  # The state that a change would begin at; what is wanted when nothing would change it.
  def state
    row = drifting.find { |each| starts_or_stops?(each) }
    return row['made'] ? STATES.fetch(row['state']) : :absent if row

    lame.empty? ? wanted : :stopped
  end

  def current?
    drifting.empty?
  end

  # What would change, in words.
  def reasons
    (drifting | lame).map { |row| rows.size > 1 ? "#{row['service']}: #{said(row)}" : said(row) }.join('; ')
  end

  # Whether it is this resource's turn as soon as all of `ready` (a hash of resources) is done, and something is to be done.
  def pending?(ready)
    return false if resource.noop? || resource[:schedule] || drifting.empty? || drifting.any? { |row| host.applied?(row) }

    resource.catalog.relationship_graph.dependencies(resource).all? { |other| other.is_a?(Puppet::Type::Whit) || ready.key?(other) }
  rescue Puppet::Error
    false # which it says itself when its turn comes
  end

  def apply
    host.apply(batch.flat_map(&:drifting)).each { |note| resource.notice(note) } if drifting.any? { |row| !host.applied?(row) }
    failures = drifting.map { |row| host.failure(row) }.compact.uniq
    failures += lame.map { |row| said(row) } if drifting.empty?
    raise Puppet::Error, failures.join("\n") unless failures.empty?
  end

  def restart
    host.restart(rows)
  rescue PuppetX::Runit::Tool::Refusal => e
    raise Puppet::Error, e.message
  end

  def drifting
    rows.select { |row| row['drift'] }
  end

  private

  def host
    resource.host_resource&.host || raise(Puppet::Error, 'there is no data that it could belong to: include the class runit')
  end

  def rows
    @rows ||= known
  rescue PuppetX::Runit::Tool::Refusal => e
    raise Puppet::Error, e.message
  end

  def known
    name = resource[:name]
    data = resource.data_resource
    keys = resource[:keys] || data&.services&.fetch(name, nil)
    found = host.rows(name, keys && ['runit', *keys].join('.'))
    return [to_be_made(name)] if found.empty? && (host.unseen? ? keys : data&.awaiting&.include?(name))
    return found unless found.empty? && !keys

    near = data ? DidYouMean::SpellChecker.new(dictionary: data.services.keys).correct(name).first : nil
    raise Puppet::Error, "the data know no service #{name}#{"; did you mean #{near}?" if near}"
  end

  # What the tool would say of a service whose account, or which itself, is not there yet.
  def to_be_made(name)
    { 'service' => name, 'ensure' => 'running', 'made' => false, 'drift' => true, 'problems' => [] }
  end

  # Rows that apply would do nothing about, though they are not as they should be.
  def lame
    rows.select { |row| !row['drift'] && row['ensure'] == 'running' && (row['gave_up'] || host.keeps_ending?(row)) }
  end

  def said(row)
    return row['left'] || "is to be up, and ends as often as it is started#{"; see its log in #{row['log_directory']}" if row['log_directory']}" unless row['drift']

    reasons = row['made'] ? row['reasons'] : ['created']
    PuppetX::Runit::Reasoned.told(reasons, ', ')
  end

  def starts_or_stops?(row)
    !row['made'] || row['ensure'] == 'absent' || !(host.verbs(row) & %w[start stop]).empty?
  end

  # The providers of all services whose turn has come with this one's: whatever they wait for is done.
  def batch
    catalog = resource.catalog
    ready = catalog.relationship_graph.dependencies(resource).to_h { |other| [other, true] }
    return [self] unless Puppet[:skip_tags].empty?

    others = catalog.resources.select { |each| each.is_a?(resource.class) && !each.equal?(resource) && each.host_resource == resource.host_resource }
    tags = Puppet[:tags].split(/\s*,\s*/)
    others.select! { |each| each.tagged?(*tags) } unless tags.empty?
    [self, *others.map(&:provider).select { |each| each.pending?(ready) }]
  end
end
